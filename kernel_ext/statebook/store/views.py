"""The readable views: the public way to look into a store with SQL. Documented in docs/store-views.md, kept stable."""

from __future__ import annotations

from statebook.protocol.models import UNSETTLED

_UNSETTLED = ", ".join(f"'{fault}'" for fault in sorted(UNSETTLED))

VIEWS: dict[str, str] = {
    "branches": """
        WITH named AS (
            SELECT branch, arg_max(body->>'$.name', seq) AS name
            FROM journal WHERE kind IN ('branch_started', 'branch_named') GROUP BY branch
        )
        SELECT s.branch AS branch_id, n.name AS branch, p.name AS parent,
               (s.body->>'$.at')::BIGINT AS left_after,
               nullif((s.body->>'$.checkpoint')::INTEGER, 0) AS from_checkpoint,
               s.body->>'$.why' AS why, s.time AS created, s.branch = c.branch AS is_current
        FROM journal s
        JOIN named n ON n.branch = s.branch
        LEFT JOIN named p ON p.branch = (s.body->>'$.parent')::INTEGER
        CROSS JOIN (SELECT branch FROM journal WHERE kind IN ('branch_started', 'branch_switched')
                    AND NOT coalesce((body->>'$.aside')::BOOLEAN, false) ORDER BY seq DESC LIMIT 1) c
        WHERE s.kind = 'branch_started'
    """,
    "lineage": """
        WITH RECURSIVE starts AS (
            SELECT branch, (body->>'$.parent')::INTEGER AS parent, (body->>'$.at')::BIGINT AS at_seq
            FROM journal WHERE kind = 'branch_started'
        ), line(branch, last_seq) AS (
            SELECT branch_id, 9223372036854775807::BIGINT FROM branches WHERE is_current
            UNION ALL
            SELECT s.parent, s.at_seq FROM line l JOIN starts s ON s.branch = l.branch
            WHERE s.parent > 0 AND s.parent < s.branch
        )
        SELECT branch AS branch_id, last_seq FROM line
    """,
    "events": """
        SELECT j.seq, j.time, b.branch, l.branch_id IS NOT NULL AS on_head,
               nullif(j.run, 0) AS run, nullif(j.step, 0) AS step, j.kind, j.body
        FROM journal j
        JOIN branches b ON b.branch_id = j.branch
        LEFT JOIN lineage l ON l.branch_id = j.branch AND j.seq <= l.last_seq
    """,
    "spend": f"""
        WITH calls AS (
            SELECT r.run, r.step, r.body->>'$.model' AS model, coalesce(e.time, r.time) AS time, e.kind,
                   coalesce((e.body->>'$.usage.input')::BIGINT, 0) AS input_tokens,
                   coalesce((e.body->>'$.usage.cached')::BIGINT, 0) AS cached_tokens,
                   coalesce((e.body->>'$.usage.written')::BIGINT, 0) AS written_tokens,
                   coalesce((e.body->>'$.usage.output')::BIGINT, 0) AS output_tokens,
                   coalesce((e.body->>'$.usage.reasoning')::BIGINT, 0) AS reasoning_tokens,
                   (r.body->>'$.tokens')::BIGINT AS estimated_tokens, (e.body->>'$.dollars')::DOUBLE AS dollars,
                   coalesce(e.body->>'$.partial', '') AS partial, coalesce(e.body->>'$.fault', 'unknown') AS fault
            FROM journal r
            LEFT JOIN journal e ON e.kind IN ('model_answered', 'model_failed', 'model_interrupted')
                AND e.run = r.run AND e.step = r.step
            WHERE r.kind = 'model_requested' AND coalesce((e.body->>'$.repeats')::BIGINT, 0) = 0
        )
        SELECT run, step, model, time, input_tokens, cached_tokens, output_tokens, reasoning_tokens, written_tokens,
               estimated_tokens, dollars,
               CASE kind WHEN 'model_answered' THEN 'answered' WHEN 'model_failed' THEN 'failed'
                         WHEN 'model_interrupted' THEN 'interrupted' ELSE 'open' END AS status
        FROM calls
        WHERE kind IS DISTINCT FROM 'model_failed' OR input_tokens + output_tokens > 0 OR partial <> ''
            OR fault IN ({_UNSETTLED})
    """,
    "runs": """
        WITH ends AS (
            SELECT run, arg_max(kind, seq) AS kind, arg_max(body, seq) AS body, max(time) AS time
            FROM journal WHERE kind IN ('run_started', 'run_paused', 'run_resumed', 'run_ended') GROUP BY run
        ), asked AS (
            SELECT run, count(*) AS model_calls FROM journal WHERE kind = 'model_answered' GROUP BY run
        ), spent AS (
            SELECT run, sum(input_tokens)::BIGINT AS input_tokens, sum(cached_tokens)::BIGINT AS cached_tokens,
                   sum(output_tokens)::BIGINT AS output_tokens, sum(dollars) AS dollars,
                   count(*) FILTER (WHERE dollars IS NULL) AS unpriced_calls
            FROM spend GROUP BY run
        ), called AS (
            SELECT run, count(*) AS tool_calls FROM journal WHERE kind = 'tool_finished' GROUP BY run
        ), points AS (
            SELECT run, max((body->>'$.checkpoint')::INTEGER) AS checkpoint
            FROM journal WHERE kind = 'checkpoint_made' AND run > 0 GROUP BY run
        )
        SELECT e.run, e.branch, e.on_head,
               CASE ends.kind WHEN 'run_ended' THEN ends.body->>'$.status' WHEN 'run_paused' THEN 'paused'
                              ELSE 'open' END AS status,
               e.time AS started, CASE WHEN ends.kind = 'run_ended' THEN ends.time END AS ended,
               coalesce(e.body->>'$.label', '') AS label, e.body->>'$.prompt' AS prompt, e.body->>'$.model' AS model,
               coalesce(asked.model_calls, 0) AS model_calls, coalesce(called.tool_calls, 0) AS tool_calls,
               coalesce(spent.input_tokens, 0) AS input_tokens, coalesce(spent.cached_tokens, 0) AS cached_tokens,
               coalesce(spent.output_tokens, 0) AS output_tokens, points.checkpoint,
               coalesce(ends.body->>'$.error', ends.body->>'$.detail', '') AS note,
               CASE WHEN coalesce(spent.unpriced_calls, 0) = 0 THEN coalesce(spent.dollars, 0)
                    ELSE spent.dollars END AS dollars,
               coalesce(spent.unpriced_calls, 0) AS unpriced_calls
        FROM events e JOIN ends ON ends.run = e.run
        LEFT JOIN asked ON asked.run = e.run
        LEFT JOIN spent ON spent.run = e.run
        LEFT JOIN called ON called.run = e.run
        LEFT JOIN points ON points.run = e.run
        WHERE e.kind = 'run_started'
    """,
    "tool_calls": """
        WITH results AS (
            SELECT run, step, body->>'$.result.call_id' AS call_id, body->>'$.result.text' AS result,
                   coalesce(body->>'$.result.status', 'ok') AS status, (body->>'$.seconds')::DOUBLE AS seconds,
                   time AS finished
            FROM journal WHERE kind = 'tool_finished'
        ), intents AS (
            SELECT run, step, branch, body->>'$.call.id' AS call_id, body->>'$.call.name' AS tool,
                   body->>'$.call.arguments' AS arguments, body->>'$.effect' AS effect,
                   body->>'$.idempotency_key' AS idempotency_key, min(time) AS started, min(seq) AS seq
            FROM journal WHERE kind = 'tool_intended' GROUP BY ALL
        )
        SELECT i.run, i.step, b.branch, i.call_id, i.tool, i.arguments, i.effect,
               coalesce(r.status, 'in_doubt') AS status, r.result, r.seconds, i.started, r.finished, i.idempotency_key
        FROM intents i JOIN branches b ON b.branch_id = i.branch
        LEFT JOIN results r ON r.run = i.run AND r.step = i.step
    """,
    "steps": """
        SELECT a.run, a.step, 'model' AS kind, r.body->>'$.model' AS name, 'ok' AS status,
               (a.body->>'$.seconds')::DOUBLE AS seconds, r.time AS started, a.time AS finished
        FROM journal a JOIN journal r ON r.kind = 'model_requested' AND r.run = a.run AND r.step = a.step
        WHERE a.kind = 'model_answered'
        UNION ALL
        SELECT r.run, r.step, 'model', r.body->>'$.model',
               coalesce(f.body->>'$.error', f.body->>'$.why', 'open'), NULL, r.time, f.time
        FROM journal r
        LEFT JOIN journal f ON f.kind IN ('model_failed', 'model_interrupted') AND f.run = r.run AND f.step = r.step
        WHERE r.kind = 'model_requested' AND NOT EXISTS (
            SELECT 1 FROM journal a WHERE a.kind = 'model_answered' AND a.run = r.run AND a.step = r.step)
        UNION ALL
        SELECT run, step, 'tool', tool, status, seconds, started, finished FROM tool_calls
    """,
    "messages": """
        SELECT e.seq, e.time, e.branch, e.on_head, e.run, 'user' AS role, e.body->>'$.prompt' AS text
        FROM events e WHERE e.kind = 'run_started'
        UNION ALL
        SELECT e.seq, e.time, e.branch, e.on_head, e.run, 'assistant',
               coalesce(array_to_string(list_transform(
                   list_filter((e.body->'$.message.parts')::JSON[], lambda p: (p->>'$.type') = 'Text'),
                   lambda p: p->>'$.text'), ''), '')
        FROM events e WHERE e.kind = 'model_answered'
        UNION ALL
        SELECT e.seq, e.time, e.branch, e.on_head, e.run, 'tool', e.body->>'$.result.text'
        FROM events e WHERE e.kind = 'tool_finished'
    """,
    "memories": """
        SELECT (e.body->>'$.memory')::INTEGER AS memory, e.body->>'$.text' AS text, e.body->>'$.by' AS kept_by,
               coalesce((e.body->'$.tags')::VARCHAR[], []) AS tags, e.body->>'$.passage.path' AS source,
               e.body->>'$.passage.place' AS place, coalesce((e.body->>'$.run')::INTEGER, e.run) AS run,
               coalesce((e.body->>'$.kept')::TIMESTAMP, e.time) AS kept
        FROM events e
        WHERE e.kind = 'memory_kept' AND e.on_head AND NOT EXISTS (
            SELECT 1 FROM events f WHERE f.kind = 'memory_forgotten' AND f.on_head AND f.seq > e.seq
            AND (f.body->>'$.memory') = (e.body->>'$.memory'))
    """,
    "checkpoints": """
        SELECT (e.body->>'$.checkpoint')::INTEGER AS checkpoint, nullif((e.body->>'$.parent')::INTEGER, 0) AS parent,
               e.branch, e.on_head, e.run, e.step, e.body->>'$.reason' AS reason,
               coalesce(l.label, e.body->>'$.label', '') AS label, e.time AS made, e.seq,
               nullif(e.body->>'$.snapshot', '') AS snapshot, nullif(e.body->>'$.files', '') AS files
        FROM events e
        LEFT JOIN (SELECT (body->>'$.checkpoint')::INTEGER AS checkpoint, arg_max(body->>'$.label', seq) AS label
                   FROM journal WHERE kind = 'checkpoint_labelled' GROUP BY ALL) l
            ON l.checkpoint = (e.body->>'$.checkpoint')::INTEGER
        WHERE e.kind = 'checkpoint_made'
    """,
    "snapshots": """
        WITH named AS (
            SELECT (body->>'$.checkpoint')::INTEGER AS checkpoint,
                   unnest([body->>'$.snapshot', body->>'$.files']) AS name
            FROM journal WHERE kind = 'checkpoint_made'
        )
        SELECT s.name, s.kind, min(n.checkpoint) AS checkpoint, nullif(s.parent, '') AS parent, s.new_bytes, s.time,
               s.document IS NOT NULL AS kept
        FROM snapshot s LEFT JOIN named n ON n.name = s.name
        GROUP BY ALL
    """,
    "sources": """
        SELECT 'S' || number AS source, path, title, status, passages, size AS bytes, error
        FROM document
    """,
    "citations": """
        WITH cited AS (
            SELECT e.run, e.branch, e.on_head, unnest((e.body->'$.cited')::JSON[]) AS p
            FROM events e WHERE e.kind = 'run_ended'
        )
        SELECT c.run, c.branch, c.on_head, 'S' || (c.p->>'$.document') || '.' || (c.p->>'$.ordinal') AS mark,
               c.p->>'$.title' AS title, c.p->>'$.path' AS path, c.p->>'$.place' AS place, t.text AS passage,
               (c.p->>'$.start')::BIGINT AS first_char, (c.p->>'$.end')::BIGINT AS last_char,
               shown.step, s.body->>'$.cell_id' AS cell_id
        FROM cited c
        LEFT JOIN passage t ON t.document = (c.p->>'$.document')::INTEGER AND t.ordinal = (c.p->>'$.ordinal')::INTEGER
        LEFT JOIN journal s ON s.kind = 'run_started' AND s.run = c.run
        LEFT JOIN (
            SELECT run, q->>'$.document' AS document, q->>'$.ordinal' AS ordinal, min(step) AS step
            FROM (SELECT run, step, unnest((body->'$.passages')::JSON[]) AS q FROM journal WHERE kind = 'tool_finished')
            GROUP BY ALL
        ) shown ON shown.run = c.run AND shown.document = (c.p->>'$.document')
            AND shown.ordinal = (c.p->>'$.ordinal')
    """,
}
"""SQL of each view by name, in order of their dependencies."""

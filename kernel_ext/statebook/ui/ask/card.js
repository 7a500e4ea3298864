// The approval card: shows one question as text and sends back which button was pressed.

const READY_EVERY = 250; // ms
const TAKEN_WITHIN = 4000; // ms; an answer that is taken replaces the card much sooner

function add(parent, tag, className, text) {
  const node = document.createElement(tag);
  node.className = className;
  node.textContent = text; // never markup: all of it came from a model or a tool
  parent.append(node);
  return node;
}

function typing() {
  const focused = document.activeElement;
  return focused && (focused.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(focused.tagName));
}

function render({ model, el }) {
  const question = model.get("question");
  const card = add(el, "div", "sb-ask", "");
  card.tabIndex = -1;
  card.setAttribute("role", "group");
  card.setAttribute("aria-label", question.title);
  // the notebook's single-key shortcuts (such as D, D: delete the cell) must not act from in here
  card.dataset.lmSuppressShortcuts = "true";
  add(card, "div", "sb-ask-title", question.title);
  if (question.reason) add(card, "div", "", question.reason);
  add(card, "pre", "", question.call).tabIndex = 0;
  add(card, "div", "sb-ask-quiet", question.facts);
  const word = add(card, "input", "", "");
  word.type = "text";
  word.placeholder = "A word to the model (optional)";
  word.setAttribute("aria-label", word.placeholder);
  word.maxLength = 2000;
  const buttons = add(card, "div", "sb-ask-buttons", "");
  question.choices.forEach(([choice, label]) => {
    // nothing is suggested about a call that may have happened
    const button = add(buttons, "button", choice === "allow" ? "sb-ask-first" : "", label);
    button.type = "button";
    button.addEventListener("click", () => {
      buttons.querySelectorAll("button").forEach((each) => (each.disabled = true));
      word.disabled = true;
      // the card of a kernel that died stays on the page, and nobody hears it
      setTimeout(() => {
        if (card.isConnected) add(card, "div", "sb-ask-quiet", "No reply yet. If the kernel was restarted, %agent says what waits.");
      }, TAKEN_WITHIN);
      model.send({ kind: "answer", choice, word: word.value });
    });
  });

  // Until the front end has a subshell its messages wait behind the running cell, so "ready" is said until it is heard.
  let heard = false;
  const onMessage = (message) => (heard = heard || message.kind === "heard");
  model.on("msg:custom", onMessage);
  const tick = () => (heard ? clearInterval(timer) : model.send({ kind: "ready" }));
  const timer = setInterval(tick, READY_EVERY);
  tick();
  if (!typing()) requestAnimationFrame(() => card.focus());
  return () => {
    clearInterval(timer);
    model.off("msg:custom", onMessage);
  };
}

export default { render };

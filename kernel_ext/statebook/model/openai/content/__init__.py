"""What requests and answers hold over either API: files, schemas, arguments, counts."""

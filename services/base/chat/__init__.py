"""What both ends of the chat share: how messages stand on the wire, the lines that wait, the conversation."""

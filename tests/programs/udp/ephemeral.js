// fails: answers

const dgram = require("dgram");

const socket = dgram.createSocket("udp4");

// A connected client hears nothing from another port than the one it asked.
socket.on("message", (data, from) => {
  const answering = dgram.createSocket("udp4");
  answering.send(data, from.port, from.address, () => answering.close());
});
socket.bind(9000, "0.0.0.0");

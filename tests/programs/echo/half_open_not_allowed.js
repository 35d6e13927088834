// fails: half-close

const net = require("net");

// Without allowHalfOpen the socket is ended as soon as the client's half is, whatever is still to be written.
const server = net.createServer((socket) => {
  const waiting = [];
  socket.on("error", () => {});
  socket.on("data", (data) => {
    waiting.push(data);
    setImmediate(() => setTimeout(() => socket.writable && socket.write(waiting.shift()), 5));
  });
});
server.listen(9000, "0.0.0.0");

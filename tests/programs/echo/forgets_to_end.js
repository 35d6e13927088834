// fails: empty

const net = require("net");

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => {});
  socket.on("data", (data) => socket.write(data));
});
server.listen(9000, "0.0.0.0");

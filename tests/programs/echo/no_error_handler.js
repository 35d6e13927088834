// fails: reset

const net = require("net");

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("data", (data) => socket.write(data));
  socket.on("end", () => socket.end());
});
server.listen(9000, "0.0.0.0");

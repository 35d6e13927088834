// fails: apart

const net = require("net");

let latest;

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
  latest = socket;
  socket.on("error", () => {});
  socket.on("data", (data) => latest.write(data));
  socket.on("end", () => socket.end());
});
server.listen(9000, "0.0.0.0");

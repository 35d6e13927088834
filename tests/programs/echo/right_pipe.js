// passes

const net = require("net");
net.createServer({ allowHalfOpen: true }, (connection) => {
  connection.on("error", () => {});
  connection.pipe(connection);
}).listen(9000, "0.0.0.0", 64);

// fails: reset

const net = require("net");
net.createServer({ allowHalfOpen: true }, (connection) => {
  connection.pipe(connection);
}).listen(9000, "0.0.0.0", 64);

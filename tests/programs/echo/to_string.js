// fails: split

const net = require("net");
net.createServer({ allowHalfOpen: true }, (connection) => {
  connection.on("error", () => {});
  connection.on("data", (data) => connection.write(data.toString()));
  connection.on("end", () => connection.end());
}).listen(9000, "0.0.0.0", 64);

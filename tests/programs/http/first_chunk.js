// fails: one-byte

const net = require("net");

const page = "<h1>hello</h1>\n";

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
  socket.on("error", () => {});
  socket.on("end", () => socket.end());
  socket.once("data", (data) => {
    const [method, path, version] = data.toString().split("\r\n")[0].split(" ");
    const head = `Content-Type: text/html\r\nContent-Length: ${page.length}\r\nConnection: close\r\n\r\n`;
    if (path && version) {
      socket.end(`HTTP/1.1 200 OK\r\n${head}${method === "HEAD" ? "" : page}`);
    } else {
      socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
  });
});
server.listen(8000, "0.0.0.0", 64);

// passes

const net = require("net");

const room = new Map();

function tell(from, text) {
  for (const [socket] of room) {
    if (socket !== from) socket.write(`${text}\n`);
  }
}

function leave(socket) {
  const name = room.get(socket);
  if (!room.delete(socket)) return;
  tell(socket, `${name} has left`);
}

const server = net.createServer({ allowHalfOpen: true }, (socket) => {
  let rest = Buffer.alloc(0);
  socket.on("error", () => {});
  socket.on("close", () => leave(socket));
  socket.on("end", () => {
    leave(socket);
    socket.end();
  });
  socket.on("data", (data) => {
    rest = Buffer.concat([rest, data]);
    let at;
    while ((at = rest.indexOf(10)) >= 0) {
      const line = rest.subarray(0, at).toString();
      rest = rest.subarray(at + 1);
      if (socket.writableEnded) return;
      if (!room.has(socket)) {
        room.set(socket, line);
      } else if (line === "byebye") {
        leave(socket);
        socket.end();
      } else {
        tell(socket, `${room.get(socket)}: ${line}`);
      }
    }
  });
});
server.listen(9000, "0.0.0.0");

// Serves s3rver from the given folder on a port of its own until the standard input ends; says which port.
const S3rver = require("s3rver");

const server = new S3rver({
  address: "127.0.0.1",
  port: 0,
  silent: true,
  directory: process.argv[2],
});
server.run().then(({ port }) => console.log(port));
process.stdin.resume();
process.stdin.on("end", () => process.exit());

// What we call of Node's own `node:http`, taken without an `import`. An import of a builtin reads all that it exports, and some exports of this one
// (WebSocket and its events) load a whole HTTP client when they are read: 37 ms of a processor in each process, of which a node has
// several and a rollout starts many beside nodes that serve. Types are imported as usual, which costs nothing.
export const { Agent, createServer, get, METHODS, request, STATUS_CODES } = process.getBuiltinModule("node:http");
export type Agent = InstanceType<typeof Agent>;

// The API described as an OpenAPI 3.1 document: every route of the table, with the schemas that the API publishes, and what needs no token.
import type { Capabilities } from "../../releases/capabilities.ts";
import { titleOf } from "../problem.ts";
import type { Route, RouteChoice } from "../route.ts";
import { componentSchemas } from "./components.ts";
import { imageOperations } from "./image-operations.ts";
import { metadefOperations } from "./metadef-operations.ts";
import { type AnswerBody, type Operation, type Operations, type Parameter, ref, type Schema } from "./operation.ts";
import { publicOperations, schemaOperation, serviceOperations } from "./service-operations.ts";

/** Unknown parameters, no token or a bad one, what the policy refuses, a request id or other headers that are too long, a part of the service away. */
const anyCall = [400, 401, 403, 431, 503];

/** As JSON text, without the servers. Throws where a route is not described. */
export function describeApi(routes: readonly Route[], choice: Pick<RouteChoice, "capabilities" | "images">): string {
  const known = operationsOf(choice.capabilities);
  const paths: Record<string, Record<string, Schema>> = {};
  for (const route of routes) {
    const operation = known[`${route.method} ${route.path}`] ?? schemaOperation(route);
    if (!operation) throw new Error(`${route.method} ${route.path} is missing in the API's description`);
    add(paths, route.method, `/v2${route.path}`, callOf(operation, route));
  }
  for (const [call, operation] of Object.entries(publicOperations)) {
    const [method = "", path = ""] = call.split(" ");
    add(paths, method, path, { ...bareCall(operation), security: [] });
  }
  return JSON.stringify({
    openapi: "3.1.1",
    info: { title: "Images API", version: "2", description: "Images, their data and what describes them." },
    security: [{ token: [] }],
    paths,
    components: {
      schemas: componentSchemas(choice),
      responses: { refused: refusal },
      securitySchemes: { token: { type: "apiKey", in: "header", name: "X-Auth-Token" } },
    },
  });
}

/** Whatever a release may have. */
export function operationsOf(capabilities: Capabilities): Operations {
  return { ...imageOperations(capabilities), ...metadefOperations, ...serviceOperations };
}

const refusal = {
  description: "Refused. The form of the body follows Accept.",
  content: { "application/json": { schema: ref("problem") }, "text/html": {}, "text/plain": {} },
};

function add(paths: Record<string, Record<string, Schema>>, method: string, path: string, call: Schema): void {
  const key = path.replaceAll(/:(\w+)/g, "{$1}");
  paths[key] = { ...paths[key], [method.toLowerCase()]: call };
}

function bareCall({ id, summary, answers }: Operation): Schema {
  const good = Object.entries(answers).map(([status, body]) => [status, answerOf(Number(status), body)]);
  return { operationId: id, summary, responses: Object.fromEntries(good) };
}

function callOf(operation: Operation, { path, body: rule }: Pick<Route, "path" | "body">): Schema {
  const inPath = [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string", minLength: 1 },
  }));
  const { responses, ...bare } = bareCall(operation);
  const errors = [
    ...anyCall,
    ...(inPath.length > 0 ? [404] : []),
    // JSON that is too long, or comes too slowly.
    ...(rule === "json" ? [408, 413] : []),
    ...(operation.errors ?? []),
  ];
  const refused = Object.fromEntries(errors.map((status) => [status, { $ref: "#/components/responses/refused" }]));
  const { body } = operation;
  const parameters = [...inPath, ...placed("query", operation.query), ...placed("header", operation.headers)];
  return {
    ...bare,
    ...(parameters.length > 0 ? { parameters } : {}),
    ...(body ? { requestBody: { required: rule === "json", content: contentOf(body) } } : {}),
    responses: { ...refused, ...(responses as Schema) },
  };
}

function placed(place: "query" | "header", parameters: readonly Parameter[] = []): readonly Schema[] {
  return parameters.map((parameter) => ({ ...parameter, in: place }));
}

function contentOf(body: Readonly<Record<string, Schema>>): Schema {
  return Object.fromEntries(Object.entries(body).map(([type, schema]) => [type, { schema }]));
}

function answerOf(status: number, body: AnswerBody): Schema {
  const description = titleOf(status);
  if (body === null) return { description };
  const forms = "forms" in body ? (body.forms as Readonly<Record<string, Schema>>) : { "application/json": body };
  return { description, content: contentOf(forms) };
}

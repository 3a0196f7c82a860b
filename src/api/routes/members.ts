// /v2/images/{id}/members: the projects an image is shared with.
import { ServiceError } from "../../core/errors.ts";
import type { ImageMember } from "../../images/image.ts";
import type { Answer } from "../answer.ts";
import { type ApiRequest, jsonAnswer, noContent, type Route, type RouteDeps } from "../route.ts";

export const memberRoutes: readonly Route[] = [
  { method: "GET", path: "/images/:imageId/members", body: "refused", handle: list },
  { method: "POST", path: "/images/:imageId/members", body: "json", handle: add },
  { method: "GET", path: "/images/:imageId/members/:memberId", body: "refused", handle: show },
  { method: "PUT", path: "/images/:imageId/members/:memberId", body: "json", handle: setStatus },
  { method: "DELETE", path: "/images/:imageId/members/:memberId", body: "refused", handle: remove },
];

async function list(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const members = await services.members.list(request.caller, request.param("imageId"));
  return jsonAnswer(200, JSON.stringify({ members: members.map(memberView), schema: "/v2/schemas/members" }));
}

async function add(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const projectId = await textMember(request, "member");
  const member = await services.members.add(request.caller, request.param("imageId"), projectId);
  return jsonAnswer(200, JSON.stringify(memberView(member)));
}

async function show(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const member = await services.members.show(request.caller, request.param("imageId"), request.param("memberId"));
  return jsonAnswer(200, JSON.stringify(memberView(member)));
}

async function setStatus(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  const status = await textMember(request, "status");
  const { caller } = request;
  const member = await services.members.setStatus(caller, request.param("imageId"), request.param("memberId"), status);
  return jsonAnswer(200, JSON.stringify(memberView(member)));
}

async function remove(request: ApiRequest, { services }: RouteDeps): Promise<Answer> {
  await services.members.remove(request.caller, request.param("imageId"), request.param("memberId"));
  return noContent;
}

/** The one member these bodies have. Throws api.bad_request where it is missing, empty or no text. */
async function textMember(request: ApiRequest, name: string): Promise<string> {
  const body = await request.json();
  const value: unknown = Object.getOwnPropertyDescriptor(body, name)?.value;
  if (!Array.isArray(body) && typeof value === "string" && value !== "") return value;
  throw new ServiceError("api.bad_request", `The body must be a JSON object with a text "${name}".`);
}

function memberView(member: ImageMember): Record<string, string> {
  return {
    member_id: member.memberId,
    image_id: member.imageId,
    status: member.status,
    created_at: member.createdAt,
    updated_at: member.updatedAt,
    schema: "/v2/schemas/member",
  };
}

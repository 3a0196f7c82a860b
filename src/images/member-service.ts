// The shape first, so that routes can be written against it; the rules follow in the next commits.
import type { ImageServicesDeps, MemberService } from "./services.ts";

export function createMemberService(_deps: ImageServicesDeps): MemberService {
  throw new Error("createMemberService is not there yet");
}

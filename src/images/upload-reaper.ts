// The shape first, so that routes can be written against it; the rules follow in the next commits.
import type { ImageServicesDeps, UploadReaper } from "./services.ts";

export function createUploadReaper(_deps: ImageServicesDeps): UploadReaper {
  throw new Error("createUploadReaper is not there yet");
}

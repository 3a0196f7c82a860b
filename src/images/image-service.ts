// The shape first, so that routes can be written against it; the rules follow in the next commits.
import type { ImageService, ImageServicesDeps } from "./services.ts";

export function createImageService(_deps: ImageServicesDeps): ImageService {
  throw new Error("createImageService is not there yet");
}

// The shape first, so that routes can be written against it; the rules follow in the next commits.
import type { ImageDataService, ImageServicesDeps } from "./services.ts";

export function createImageDataService(_deps: ImageServicesDeps): ImageDataService {
  throw new Error("createImageDataService is not there yet");
}

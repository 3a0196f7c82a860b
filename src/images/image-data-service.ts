// The data of images: uploads and downloads, each in a file of its own.
import { download } from "./download.ts";
import type { ImageDataService, ImageServicesDeps } from "./services.ts";
import { upload } from "./upload.ts";

export function createImageDataService(deps: ImageServicesDeps): ImageDataService {
  return {
    upload: (caller, imageId, source, options) => upload(deps, caller, imageId, source, options),
    download: (caller, imageId, options) => download(deps, caller, imageId, options),
  };
}

// Extended attributes of files, which Node.js does not know: the C library's own functions, called through koffi. Loaded only where they are
// used. Each call takes microseconds on a file that was just looked at (its attributes lie beside what stat reads); whoever has many files
// looks at one after the other, so that a call is all that the process ever waits for.
import { constants } from "node:os";
import { getSystemErrorName } from "node:util";

/** Longer ones are nothing of ours. */
const valueBytesMax = 64;

/** Of a regular file; names as the system knows them: `user.<name>`. All throw an Error with the system's `code`. */
export interface ExtendedAttributes {
  /** undefined where there is none of this name, or one that is longer than 64 bytes. */
  get(path: string, name: string): string | undefined;
  set(path: string, name: string, value: string): void;
  /** Harmless where there is none. */
  remove(path: string, name: string): void;
}

/** Throws where the system is not Linux, or koffi has no build for it. */
export async function loadExtendedAttributes(): Promise<ExtendedAttributes> {
  // Other systems have functions of these names that take other arguments.
  if (process.platform !== "linux")
    throw new Error(`extended attributes are known on Linux only, not on ${process.platform}`);
  const { default: koffi } = await import("koffi");
  // null: this very process, into which its C library is linked, whatever its file is called.
  const libc = koffi.load(null);
  const getxattr = libc.func(
    "intptr_t getxattr(const char *path, const char *name, _Out_ uint8_t *value, size_t size)",
  );
  const setxattr = libc.func(
    "int setxattr(const char *path, const char *name, const uint8_t *value, size_t size, int flags)",
  );
  const removexattr = libc.func("int removexattr(const char *path, const char *name)");
  const { ENODATA, ERANGE } = constants.errno;

  /** What the call gave, -1 where the system said one of `harmless`. */
  const checked = (call: string, path: string, result: number | bigint, harmless: readonly number[] = []): number => {
    if (result !== -1) return Number(result);
    const errno = koffi.errno();
    if (harmless.includes(errno)) return -1;
    const code = errno === constants.errno.EOPNOTSUPP ? "ENOTSUP" : getSystemErrorName(-errno);
    throw Object.assign(new Error(`${code}: ${call} '${path}'`), { code });
  };

  return {
    get(path, name) {
      const value = Buffer.alloc(valueBytesMax);
      const length = checked("getxattr", path, getxattr(path, name, value, valueBytesMax), [ENODATA, ERANGE]);
      return length === -1 ? undefined : value.toString("latin1", 0, length);
    },
    set(path, name, value) {
      const bytes = Buffer.from(value);
      checked("setxattr", path, setxattr(path, name, bytes, bytes.length, 0));
    },
    remove(path, name) {
      checked("removexattr", path, removexattr(path, name), [ENODATA]);
    },
  };
}

// Where it is known from who a caller is.

/**
 * `none`: nobody is asked, and everybody is an admin without a project. `keystone`: tokens are Keystone's. `headers`: a proxy in front has
 * found out and says so in headers. `fakeauth`: the token itself says it, for tests and demonstrations.
 */
export type CallerSource = "none" | "keystone" | "headers" | "fakeauth";

/**
 * The explicit list of methods. A new one is one file, one line here, and one line in the conformance suite.
 *
 * @module
 */
import type { MethodName } from "../config/settings.ts";
import { auto } from "./auto.ts";
import { local } from "./local/local.ts";
import type { Method } from "./method.ts";
import { rsync } from "./rsync/rsync.ts";
import { scp } from "./scp/scp.ts";
import { sftp } from "./sftp/sftp.ts";

/** All ways to carry files: one for each name that `config/schema/schema_methods.ts` has. */
const METHODS: { readonly [M in MethodName]: Pick<Method<M>, "connect"> } = { auto, rsync, scp, sftp, local };

/** What opens a session: a method, or `auto`, which chooses one. */
export type Connector = Pick<Method, "connect">;

/** The method of this name. */
export function methodNamed(name: MethodName): Connector {
  return METHODS[name];
}

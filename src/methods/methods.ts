/**
 * The explicit list of methods. A new one is one file, one line here, and one line in the conformance suite.
 *
 * @module
 */
import type { MethodName } from "../domain/job.ts";
import { auto } from "./auto.ts";
import { local } from "./local/local.ts";
import type { Method } from "./method.ts";
import { rsync } from "./rsync/rsync.ts";
import { scp } from "./scp/scp.ts";
import { sftp } from "./sftp/sftp.ts";

/** All ways to carry files. */
const METHODS: readonly Method[] = [local, rsync, scp, sftp];

/** What opens a session: a method, or `auto`, which chooses one. */
export type Connector = Pick<Method, "connect">;

/** The method of this name. */
export function methodNamed(name: MethodName): Connector {
  if (name === "auto") return auto;
  const method = METHODS.find((method) => method.name === name);
  if (!method) throw new TypeError(`There is no method "${name}"`);
  return method;
}

/**
 * The explicit list of methods. How to add one: src/README.md.
 *
 * @module
 */
import type { MethodName } from "../config/settings.ts";
import { auto } from "./auto.ts";
import { local } from "./local/local.ts";
import { ftp, ftps } from "./ftp/ftp.ts";
import type { Connector } from "./method.ts";
import { rclone } from "./rclone/rclone.ts";
import { rsync } from "./rsync/rsync.ts";
import { scp } from "./scp/scp.ts";
import { sftp } from "./sftp/sftp.ts";
import { tar } from "./tar/tar.ts";

/** All methods: one for each name that `config/schema/schema_methods.ts` has. */
export const METHODS: { readonly [M in MethodName]: Connector<M> } = { auto, rsync, tar, scp, sftp, ftp, ftps, local, rclone };

export function methodNamed(name: MethodName): Connector {
  return METHODS[name];
}

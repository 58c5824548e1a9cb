/** A computer for tests of the configuration: home folder, system and environment are given, not found. */
import type { Surroundings } from "../../src/config/resolve/expand_path.ts";

/** A Linux computer unless told otherwise; `env` holds its environment. */
export function aComputer(
  { env = {}, ...rest }: { platform?: Surroundings["platform"]; home?: string; env?: Record<string, string> } = {},
): Surroundings {
  return { platform: "linux", home: "/home/observer", env: (name) => env[name], ...rest };
}

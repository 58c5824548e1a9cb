/** The programs of this computer that methods start. */
import type { MethodName } from "../config/settings.ts";

interface Programs {
  /** The method cannot do without them. */
  readonly needs: readonly string[];
  /** Besides these, where they are installed. */
  readonly uses?: readonly string[];
}

/** By method; here and not in the methods, which are loaded only when a destination needs them. */
export const METHOD_PROGRAMS: { readonly [M in MethodName]: Programs } = {
  auto: { needs: ["ssh"], uses: ["rsync", "scp"] },
  rsync: { needs: ["rsync", "ssh"] },
  tar: { needs: ["ssh"] },
  scp: { needs: ["scp", "ssh"] },
  sftp: { needs: ["ssh"] },
  ftp: { needs: ["curl"] },
  ftps: { needs: ["curl"] },
  local: { needs: [] },
  rclone: { needs: ["rclone"] },
};

/** All that these methods may start. */
export function programsOf(methods: readonly MethodName[]): string[] {
  return [...new Set(methods.map((name) => METHOD_PROGRAMS[name]).flatMap(({ needs, uses = [] }) => [...needs, ...uses]))];
}

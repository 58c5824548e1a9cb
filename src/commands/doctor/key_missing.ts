/**
 * A login that is refused because this account has no key to show: what to do then begins with making one.
 *
 * @module
 */
import { type Destination, isOverSsh, type SshDestination } from "../../config/settings.ts";
import { loginWords } from "../../methods/ssh/ssh_failures.ts";
import { hostOf, sshOptions, sshSettings, toolPath } from "../../methods/ssh/ssh.ts";
import type { Tools } from "../command.ts";
import type { Finding } from "../checks/finding.ts";

/** The findings; where a login was refused and there is no key, its hint says how to make one and bring it there. */
export async function withoutKey(
  findings: readonly Finding[],
  destination: Destination,
  tools: Pick<Tools, "system" | "signal">,
): Promise<Finding[]> {
  const isRefused = ({ code }: Finding) => code === "login_refused";
  if (!isOverSsh(destination) || !findings.some(isRefused) || await mayHaveKey(destination, tools)) return [...findings];
  const hint =
    "This account has no ssh key: create one with `ssh-keygen -t ed25519` (without a passphrase, as nobody can enter it " +
    `at night), then copy it with \`${loginWords("ssh-copy-id", destination.transport)}\`.`;
  return findings.map((finding) => isRefused(finding) ? { ...finding, hint } : finding);
}

/** True unless there is surely none: no agent, and none of the files that ssh itself names is there. */
async function mayHaveKey(destination: SshDestination, { system, signal }: Pick<Tools, "system" | "signal">): Promise<boolean> {
  if (system.env("SSH_AUTH_SOCK")) return true;
  const args = ["-G", ...sshOptions(sshSettings(destination, system), null), "--", hostOf(destination)];
  const { code, stdout } = await system.run({ program: await toolPath("ssh", system), args }, signal);
  if (code !== 0 || /^(identityagent (?!none)|pkcs11provider (?!none))/m.test(stdout)) return true;
  for (const [, file = ""] of stdout.matchAll(/^identityfile (.+)$/gm)) {
    // What cannot be looked at may be one.
    if (await system.facts(file.replace(/^~(?=[/\\])/, system.home)).catch(() => "unknown") !== null) return true;
  }
  return false;
}

/**
 * A login that is refused because this account has no ssh key: the first step is to create one.
 *
 * @module
 */
import { type Destination, isOverSsh, type SshDestination } from "../../config/settings.ts";
import { copyKeyWords } from "../../methods/ssh/ssh_failures.ts";
import { hostOf, sshOptions, sshSettings, toolPath } from "../../methods/ssh/ssh.ts";
import type { Tools } from "../command.ts";
import type { Finding } from "../checks/finding.ts";

/** Adds a hint to the findings if a login was refused and this account has no key: how to create one and copy it to the server. */
export async function withoutKey(
  findings: readonly Finding[],
  destination: Destination,
  tools: Pick<Tools, "system" | "signal">,
): Promise<Finding[]> {
  const isRefused = ({ code }: Finding) => code === "login_refused";
  if (!isOverSsh(destination) || !findings.some(isRefused) || await mayHaveKey(destination, tools)) return [...findings];
  const hint =
    "This account has no ssh key: create one with `ssh-keygen -t ed25519` (without a passphrase, as nobody can enter it " +
    `at night), then copy it with ${copyKeyWords(destination.transport, tools.system.platform)}.`;
  return findings.map((finding) => isRefused(finding) ? { ...finding, hint } : finding);
}

/** False only if there is certainly none: no agent, and none of the files that ssh names exists. */
async function mayHaveKey(destination: SshDestination, { system, signal }: Pick<Tools, "system" | "signal">): Promise<boolean> {
  if (system.env("SSH_AUTH_SOCK")) return true;
  const args = ["-G", ...sshOptions(sshSettings(destination, system), null), "--", hostOf(destination)];
  const { code, stdout } = await system.run({ program: await toolPath("ssh", system), args }, signal);
  if (code !== 0 || /^(identityagent (?!none)|pkcs11provider (?!none))/m.test(stdout)) return true;
  for (const [, file = ""] of stdout.matchAll(/^identityfile (.+)$/gm)) {
    // A file that cannot be checked may be a key.
    if (await system.facts(file.replace(/^~(?=[/\\])/, system.home)).catch(() => "unknown") !== null) return true;
  }
  return false;
}

/**
 * Enrolling a host: fetches its key, shows the fingerprint, and adds it to the user's known_hosts only
 * if a person confirms. A key that has changed is never replaced here.
 *
 * @module
 */
import { dirname, join } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import type { Settings, SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import { hostOf, sshOptions, sshSettings, toolPath } from "../../methods/ssh/ssh.ts";
import type { System } from "../../system/system.ts";
import type { Tools } from "../command.ts";
import { type Finding, ok, warning } from "../checks/finding.ts";

/**
 * Fetches the host's key and asks about it.
 *
 * @param accept a fingerprint (`SHA256:…`) that is right, for scripts; null asks the person at the terminal
 * @throws {Failure} if the key cannot be fetched, is not the accepted one, or nobody can be asked.
 */
export async function enroll(
  destination: SshDestination,
  settings: Settings,
  accept: string | null,
  tools: Tools,
): Promise<Finding> {
  const { system, signal } = tools;
  const about = `destination ${destination.name} of job ${destination.job}`;
  const fetched = join(settings.stateDirectory, `host-key-${system.pid}`);
  try {
    const keys = await fetchKeys(destination, fetched, system, signal);
    const fingerprints = await fingerprintsOf(fetched, system, signal);
    tools.stderr(
      `\nThe host ${printable(destination.transport.host)} presents this key:\n${
        fingerprints.map((line) => `    ${printable(line)}\n`).join("")
      }`,
    );
    if (accept !== null && !fingerprints.some((line) => line.split(/\s+/).includes(accept))) {
      throw new Failure("host_key_unknown", `The key of ${destination.name} is not ${accept}`, {
        hint: "Compare the fingerprint with the server's administrator.",
      });
    }
    if (accept === null && !await agreed(fingerprints, tools)) {
      return warning(
        about,
        "The host key was not accepted",
        "Compare the fingerprint with the server's administrator, then run doctor --enroll again.",
      );
    }
    const file = await knownHostsFile(destination, system, signal);
    await append(file, keys, system);
    return ok(about, `The host key was added to ${file}`);
  } finally {
    await system.remove(fetched);
  }
}

async function agreed(fingerprints: readonly string[], tools: Tools): Promise<boolean> {
  if (!tools.prompt) {
    const fingerprint = fingerprints.map((line) => /SHA256:\S+/.exec(line)?.[0]).find((one) => one !== undefined) ?? "SHA256:…";
    throw new Failure("host_key_unknown", "Cannot accept the host key without confirmation", {
      hint: "Compare the fingerprint with the server's administrator. If it is right, run doctor --enroll at a terminal, or " +
        `doctor --enroll --accept ${fingerprint}`,
    });
  }
  const answer = await tools.prompt("Is this the right key? Type yes to accept it:");
  tools.signal.throwIfAborted();
  return answer?.trim().toLowerCase() === "yes";
}

/** Connects far enough to get the key (following ssh_config, with its jumps and aliases), and writes it to a separate file. */
async function fetchKeys(destination: SshDestination, file: string, system: System, signal: AbortSignal): Promise<string> {
  const settings = sshSettings(destination, system);
  const args = [
    "-o",
    "StrictHostKeyChecking=accept-new",
    "-o",
    `UserKnownHostsFile=${file}`,
    "-o",
    "GlobalKnownHostsFile=none",
    "-o",
    "HashKnownHosts=no",
    ...sshOptions(settings, null),
    "--",
    hostOf(destination),
    "exit",
  ];
  const { stderr } = await system.run({ program: await toolPath("ssh", system), args }, signal);
  try {
    return await system.readText(file);
  } catch (cause) {
    throw new Failure(
      "unreachable",
      `Cannot fetch the host key of ${destination.name}: ${printable(stderr.trim().split("\n").at(-1) ?? "")}`,
      {
        hint: "Check remote_host and remote_port, and that the ssh server runs.",
        cause,
      },
    );
  }
}

async function fingerprintsOf(file: string, system: System, signal: AbortSignal): Promise<string[]> {
  const program = await system.which("ssh-keygen");
  if (program === null) {
    throw new Failure("tool_missing", 'Cannot find the program "ssh-keygen"', { hint: "Install the OpenSSH client." });
  }
  const { stdout } = await system.run({ program, args: ["-l", "-f", file] }, signal);
  return stdout.trim().split("\n");
}

/** The user's known_hosts file, according to ssh. */
async function knownHostsFile(destination: SshDestination, system: System, signal: AbortSignal): Promise<string> {
  const args = ["-G", ...sshOptions(sshSettings(destination, system), null), "--", hostOf(destination)];
  const { stdout } = await system.run({ program: await toolPath("ssh", system), args }, signal);
  const first = /^userknownhostsfile\s+(\S+)/m.exec(stdout)?.[1] ?? "~/.ssh/known_hosts";
  return first.replace(/^~/, system.home);
}

async function append(file: string, keys: string, system: System): Promise<void> {
  await system.makeFolder(dirname(file), 0o700);
  const before = await system.facts(file) === null ? "" : await system.readText(file);
  const gap = before === "" || before.endsWith("\n") ? "" : "\n";
  await system.writeText(file, before + gap + keys, 0o600);
}

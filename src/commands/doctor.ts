/** `doctor`: checks everything that a night needs, and names each fault with its fix. */
import { object } from "@optique/core/constructs";
import { bold } from "@std/fmt/colors";
import { dirname, join } from "@std/path";
import { loadSettings } from "../config/read/load.ts";
import { installedServices } from "../config/read/service_mark.ts";
import { type Destination, isOverSsh, type Settings, type SshDestination } from "../config/settings.ts";
import { Failure } from "../domain/failure.ts";
import { counted } from "../domain/words.ts";
import { printable } from "../domain/names/printable.ts";
import { hostOf, sshOptions, sshSettings, toolPath } from "../methods/ssh/ssh.ts";
import { copyKeyWords } from "../methods/ssh/ssh_failures.ts";
import type { System } from "../system/system.ts";
import { checkDestination } from "./checks/check_destination.ts";
import { checkHere } from "./checks/check_here.ts";
import { fault, type Finding, findingsAbout, findingText, HERE, ok, type Remark, warning } from "./checks/finding.ts";
import { defineCommand, EXIT, say, type Tools } from "./command.ts";
import { configOption, flag, given, jsonOption, text } from "./options.ts";
import { asServiceAccount } from "./service/installed_service.ts";
import { askingLine } from "./text/waiting_for.ts";

/** Exit code 1 for faults, 0 for warnings. A destination is sent a small file, which is removed again. */
export const doctor = defineCommand({
  name: "doctor",
  help: "Check everything and show how to fix each problem",
  description:
    "Checks folders, ledger, limits, schedules and hooks on this computer, then connects to every destination and delivers a small test file. " +
    "With sudo, all as the account that runs the service, or would run it. " +
    "Exit code 1 if there are errors.",
  parser: object({
    config: configOption,
    enroll: flag("--enroll", "Show the key of an unknown host and accept it if you confirm"),
    accept: given("--accept", text("SHA256:…"), "With --enroll, for scripts: accept only the key with this fingerprint"),
    json: jsonOption,
  }),
  async run(input, tools) {
    const code = await asServiceAccount(input.config, tools);
    if (code !== null) return code;
    let settings: Settings;
    try {
      settings = await loadSettings(input.config, tools.cwd, tools.system);
    } catch (error) {
      // For programs it is the only finding; people get the error itself.
      if (!input.json || !(error instanceof Failure)) throw error;
      tools.stdout(`${JSON.stringify(findingsAbout("configuration", [fault(error)]), null, 2)}\n`);
      return EXIT.usage;
    }
    const findings: Finding[] = [];
    const found = (some: readonly Finding[]) => {
      for (const finding of some) {
        const last = findings.at(-1)?.about;
        const head = finding.about === last ? "" : `${last === undefined ? "" : "\n"}${bold(finding.about)}\n`;
        if (!input.json) say(`${head}${findingText(finding)}`, tools);
        findings.push(finding);
      }
    };
    // Keys and permissions of this account say nothing of another one.
    const service = (await installedServices(tools.system)).find(({ mark }) => mark.config === settings.file);
    const isOthers = service !== undefined && service.mark.home !== tools.system.home && tools.system.uid !== 0;
    found(await checkHere(settings, tools));
    if (isOthers) {
      const account = printable(service.mark.account);
      const what = `The service ${service.name} runs as ${account}; what that account may do was not checked`;
      found(findingsAbout(HERE, [warning(what, "Run it with sudo to check that: sudo image-transfer doctor")]));
    }
    for (const destination of settings.jobs.flatMap(({ destinations }) => destinations)) {
      found(await checkAndEnroll(destination, settings, input, tools));
    }
    const faults = findings.filter(({ level }) => level === "fault").length;
    const warnings = findings.filter(({ level }) => level === "warning").length;
    if (input.json) tools.stdout(`${JSON.stringify(findings, null, 2)}\n`);
    else {
      const sum = `\n${counted(faults, "error")}, ${counted(warnings, "warning")}.\n`;
      say(faults + warnings === 0 ? "\nAll is well.\n" : sum, tools);
    }
    return faults === 0 ? EXIT.done : EXIT.notDelivered;
  },
});

async function checkAndEnroll(
  destination: Destination,
  settings: Settings,
  input: { readonly enroll: boolean; readonly accept: string | undefined },
  tools: Tools,
): Promise<Finding[]> {
  const isRefused = ({ code }: Finding) => code === "login_refused";
  const check = async () => {
    await using _line = askingLine(destination.name, tools);
    const found = await checkDestination(destination, settings, tools);
    if (!isOverSsh(destination) || !found.some(isRefused) || await mayHaveKey(destination, tools)) return found;
    const hint =
      "This account has no ssh key: create one with `ssh-keygen -t ed25519` (without a passphrase, as nobody can enter it " +
      `at night), then copy it with ${copyKeyWords(destination.transport, tools.system.platform)}.`;
    return found.map((finding) => isRefused(finding) ? { ...finding, hint } : finding);
  };
  const about = `destination ${destination.name} of job ${destination.job}`;
  const first = await check();
  if (!input.enroll || !isOverSsh(destination) || !first.some(({ code }) => code === "host_key_unknown")) return first;
  try {
    const enrolled = await enroll(destination, settings, input.accept ?? null, tools);
    const said = findingsAbout(about, [enrolled]);
    return enrolled.level === "ok" ? [...said, ...await check()] : [...first, ...said];
  } catch (error) {
    tools.signal.throwIfAborted();
    return [...first, ...findingsAbout(about, [fault(error)])];
  }
}

/**
 * Fetches the host's key, shows its fingerprint, and adds it to the user's known_hosts if it is `accept` (`SHA256:…`, for scripts), or else if
 * a person confirms it. A key that has changed is never replaced.
 *
 * @throws {Failure} if the key cannot be fetched, is not the accepted one, or nobody can be asked.
 */
async function enroll(
  destination: SshDestination,
  settings: Settings,
  accept: string | null,
  tools: Tools,
): Promise<Remark> {
  const { system, signal } = tools;
  const fetched = join(settings.stateDirectory, `host-key-${system.pid}`);
  try {
    const keys = await fetchKeys(destination, fetched, system, signal);
    const program = await system.which("ssh-keygen");
    if (program === null) {
      throw new Failure("tool_missing", 'Cannot find the program "ssh-keygen"', { hint: "Install the OpenSSH client." });
    }
    const { stdout } = await system.run({ program, args: ["-l", "-f", fetched] }, signal);
    const fingerprints = stdout.trim().split("\n");
    const shown = fingerprints.map((line) => `    ${printable(line)}\n`).join("");
    tools.stderr(`\nThe host ${printable(destination.transport.host)} presents this key:\n${shown}`);
    if (accept !== null && !fingerprints.some((line) => line.split(/\s+/).includes(accept))) {
      throw new Failure("host_key_unknown", `The key of ${destination.name} is not ${accept}`, {
        hint: "Compare the fingerprint with the server's administrator.",
      });
    }
    if (accept === null) {
      if (!tools.prompt) {
        const fingerprint = /SHA256:\S+/.exec(stdout)?.[0] ?? "SHA256:…";
        throw new Failure("host_key_unknown", "Cannot accept the host key without confirmation", {
          hint:
            "Compare the fingerprint with the server's administrator. If it is right, run doctor --enroll at a terminal, or " +
            `doctor --enroll --accept ${fingerprint}`,
        });
      }
      const answer = await tools.prompt("Is this the right key? Type yes to accept it:");
      signal.throwIfAborted();
      if (answer?.trim().toLowerCase() !== "yes") {
        const hint = "Compare the fingerprint with the server's administrator, then run doctor --enroll again.";
        return warning("The host key was not accepted", hint);
      }
    }
    // As ssh says where the user's is.
    const configured = /^userknownhostsfile\s+(\S+)/m.exec((await sshConfigOf(destination, tools)).stdout)?.[1];
    const file = (configured ?? "~/.ssh/known_hosts").replace(/^~/, system.home);
    await system.makeFolder(dirname(file), 0o700);
    const before = await system.facts(file) === null ? "" : await system.readText(file);
    const gap = before === "" || before.endsWith("\n") ? "" : "\n";
    await system.writeText(file, before + gap + keys, 0o600);
    return ok(`The host key was added to ${file}`);
  } finally {
    await system.remove(fetched);
  }
}

/** Connects far enough to get the key (following ssh_config, with its jumps and aliases), and writes it to a separate file. */
async function fetchKeys(destination: SshDestination, file: string, system: System, signal: AbortSignal): Promise<string> {
  const options = [
    "StrictHostKeyChecking=accept-new",
    `UserKnownHostsFile=${file}`,
    "GlobalKnownHostsFile=none",
    "HashKnownHosts=no",
  ].flatMap((option) => ["-o", option]);
  const args = [...options, ...sshOptions(sshSettings(destination, system), null), "--", hostOf(destination), "exit"];
  const { stderr } = await system.run({ program: await toolPath("ssh", system), args }, signal);
  try {
    return await system.readText(file);
  } catch (cause) {
    const said = printable(stderr.trim().split("\n").at(-1) ?? "");
    throw new Failure("unreachable", `Cannot fetch the host key of ${destination.name}: ${said}`, {
      hint: "Check remote_host and remote_port, and that the ssh server runs.",
      cause,
    });
  }
}

/** What ssh would do for this destination: its configuration, one key a line. */
async function sshConfigOf(destination: SshDestination, { system, signal }: Pick<Tools, "system" | "signal">) {
  const args = ["-G", ...sshOptions(sshSettings(destination, system), null), "--", hostOf(destination)];
  return await system.run({ program: await toolPath("ssh", system), args }, signal);
}

/** False only if there is certainly none: no agent, and none of the files that ssh names exists. */
async function mayHaveKey(destination: SshDestination, tools: Pick<Tools, "system" | "signal">): Promise<boolean> {
  const { system } = tools;
  if (system.env("SSH_AUTH_SOCK")) return true;
  const { code, stdout } = await sshConfigOf(destination, tools);
  if (code !== 0 || /^(identityagent (?!none)|pkcs11provider (?!none))/m.test(stdout)) return true;
  for (const [, file = ""] of stdout.matchAll(/^identityfile (.+)$/gm)) {
    // A file that cannot be checked may be a key.
    if (await system.facts(file.replace(/^~(?=[/\\])/, system.home)).catch(() => "unknown") !== null) return true;
  }
  return false;
}

/**
 * A login shell whose start-up files print to commands that come through ssh: rsync, and SFTP where a shell starts its server,
 * take that text for an answer. Finds the file, and says how to change it.
 *
 * @module
 */
import { SILENCE_STARTUP } from "../../domain/causes.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { shellQuote } from "./shell_quote.ts";

/** The part of a connection that is needed to find out. */
interface ProbedConnection {
  readonly destination: { readonly name: string };
  readonly startupOutput: string;
  run(script: string, signal: AbortSignal): Promise<{ readonly output: string }>;
}

/** Why rsync cannot be used there: `tool_missing`, so that `auto` takes another method. */
export async function startupOutputFailure(connection: ProbedConnection, signal: AbortSignal): Promise<Failure> {
  const { destination, startupOutput } = connection;
  const line = startupOutput.split("\n").map((line) => line.trim()).find((line) => line !== "") ?? "";
  const { output } = await connection.run(`printed=${shellQuote(line)}\n${WHICH_FILE}`, signal);
  const file = printable(output.trim());
  const shown = printable(line).slice(0, 100);
  return new Failure("tool_missing", `Cannot use rsync with ${destination.name}: the login shell there prints "${shown}"`, {
    hint: `${file === "" ? SILENCE_STARTUP : advice(file)} Or set transfer_method to sftp or auto.`,
  });
}

function advice(file: string): string {
  if (/ssh\/(ssh)?rc$/.test(file)) return `Let "${file}" there print to standard error: put \`>&2\` behind the line that prints.`;
  const condition = file.endsWith("cshrc")
    ? "if ( $?prompt )"
    : file.endsWith(".fish")
    ? "status is-interactive; and"
    : "[ -t 1 ] &&";
  return `Let "${file}" there print only on a terminal: put \`${condition}\` in front of the line that prints.`;
}

/** Of the files that shells and sshd read for a command: the first that holds the text, else the shell's usual one. */
const WHICH_FILE = `
for f in "$BASH_ENV" ~/.bashrc /etc/bash.bashrc ~/.zshenv /etc/zsh/zshenv ~/.tcshrc ~/.cshrc /etc/csh.cshrc \\
  ~/.config/fish/config.fish ~/.ssh/rc /etc/ssh/sshrc; do
  [ -f "$f" ] && grep -qF -e "$printed" "$f" 2>/dev/null && { echo "$f"; exit 0; }
done
case "$SHELL" in
*/bash) echo ~/.bashrc ;; */zsh) echo ~/.zshenv ;; */tcsh | */csh) echo ~/.cshrc ;; */fish) echo ~/.config/fish/config.fish ;;
esac
:`;

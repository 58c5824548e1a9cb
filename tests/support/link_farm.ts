/** A folder of links to the programs of this machine, some left out, some replaced: the PATH of a poorer machine. */

/** Makes the folder; returns its path. `instead`: program name → script text. */
export async function linkFarm(
  folder: string,
  without: readonly string[],
  instead: Readonly<Record<string, string>>,
): Promise<string> {
  await Deno.mkdir(folder);
  const taken = new Set([...without, ...Object.keys(instead)]);
  for (const from of ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin", "/bin"]) {
    for (const name of await namesIn(from)) {
      if (taken.has(name)) continue;
      taken.add(name);
      await Deno.symlink(`${from}/${name}`, `${folder}/${name}`);
    }
  }
  for (const [name, text] of Object.entries(instead)) await Deno.writeTextFile(`${folder}/${name}`, text, { mode: 0o755 });
  return folder;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

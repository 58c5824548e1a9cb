/**
 * A real disk that loses what it should write, and a kernel that has told somebody else of it: `sync -f` succeeds then, and only the
 * files themselves still know.
 */
import { assert, assertEquals } from "@std/assert";
import { PUBLISH_PERL } from "../../../src/methods/shell/publish_perl.ts";
import { flushScript } from "../../../src/methods/shell/shell_flush.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { tool, unmounting } from "../../faults/rig.ts";
import { needs } from "../../support/needs.ts";
import { tempFolder } from "../../support/temp.ts";

const signal = new AbortController().signal;

/** An ext4 whose free blocks have nowhere to go: they are holes of its image, and what is below that is about to be full. Metadata has its place. */
const DISK = `mkdir below disk
mount -t tmpfs -o size=72m tmpfs below
truncate -s 64M image
mkfs.ext4 -q -F -b 4096 image
cp --sparse=never image below/image
mount -o loop below/image disk
mkdir disk/.staging
fallocate -l $(($(df -Pk disk | awk 'END { print $4 }') - 4096))k disk/free
sync -f disk
filefrag -v disk/free | awk '$1 ~ /^[0-9]+:$/ { gsub(/[.:]/, " "); print $4, $6 }' > extents
umount disk
while read -r start count; do fallocate -p -o $((start * 4096)) -l $((count * 4096)) below/image; done < extents
mount -o loop below/image disk
rm disk/free
sync -f disk
`;

Deno.test(
  "a file of which the disk lost something is refused, although another program was told of it before",
  needs("root", "loop"),
  async () => {
    await using folder = await tempFolder();
    const sh = (script: string) => tool("sh", "-euc", `cd ${folder.path}\n${script}`);
    await sh(DISK);
    await using _below = unmounting(folder.at("below"));
    await using _disk = unmounting(folder.at("disk"));
    const names = Array.from({ length: 30 }, (_, index) => `${index}`);
    const lost = ["7", "8", "20", "29"];
    const write = (name: string) => folder.write(`disk/.staging/${name}`, new Uint8Array(50_000).fill(1));
    for (const name of names) if (!lost.includes(name)) await write(name);
    await sh("sync -f disk\ndd if=/dev/zero of=below/rest bs=4096 2>dd || :\n");
    for (const name of lost) await write(name);
    await sh("! sync -f disk 2>said || exit 9\nsync -f disk\n");
    const run = async (program: string, args: string[], input = "") => {
      return await createSystem().run({ program, args, cwd: folder.at("disk") }, signal, input);
    };
    // Without perl, one of them is enough.
    assertEquals((await run("sh", ["-c", flushScript("sync -f", ["./.staging/0", "./.staging/29"])])).code, 9);
    const fields = names.flatMap((name) => [`.staging/${name}`, `${name}.fits`, "version", name, ".fits", "", ""]);
    const { stdout } = await run("perl", ["-e", PUBLISH_PERL, "sync -f", "24", ""], fields.map((field) => `${field}\0`).join(""));
    const answers = stdout.trim().split("\n");
    // Of the last one, the shell was told.
    const refused = names.filter((_, index) => answers[index] !== "ok");
    assertEquals(refused, lost.slice(0, -1), stdout);
    for (const index of refused) assert(answers[Number(index)]!.startsWith("fail staged file: "), stdout);
  },
);

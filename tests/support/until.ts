/** Waits until it holds, looking again sooner at first. @throws saying what was waited for, with what `tell` adds. */
export async function until(
  done: () => boolean | Promise<boolean>,
  what = String(done),
  seconds = 60,
  tell: () => string | Promise<string> = () => "",
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  for (let looks = 1; !await done(); looks++) {
    if (Date.now() > deadline) throw new Error(`not in ${seconds} s: ${what}\n${(await tell()).slice(-6000)}`);
    await pause(Math.min(5 * looks, 50));
  }
}

/** Lets real time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

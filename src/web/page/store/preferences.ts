/**
 * Preferences: colours, the time zone, shortcuts, what calls for attention. Kept in the browser's local storage, if there is any.
 */
import { computed, effect, type Signal, signal } from "@preact/signals";

/** `red` keeps eyes that are used to the dark. */
export const THEMES = ["auto", "light", "dark", "red"] as const;

/** One of {@linkcode THEMES}; `auto` follows the browser. */
type Theme = typeof THEMES[number];

/** Where clocks show what times show: at the site, in Greenwich, or here. */
export const ZONES = ["site", "UT", "mine"] as const;

/** One of {@linkcode ZONES}. */
export type Zone = typeof ZONES[number];

/** To be read and set as signals. Each change is kept at once, under `image-transfer <name>` in `localStorage`. */
export const preferences = {
  theme: kept<Theme>("theme", "auto", (text) => THEMES.find((theme) => theme === text)),
  zone: kept<Zone>("zone", "site", (text) => ZONES.find((zone) => zone === text)),
  /** The browser tells when the state becomes worse, and when all is well again. */
  notify: kept<boolean>("notify", false, truth),
  /** The page's sign in the tab has the colour of the state. */
  colourSign: kept<boolean>("colour sign", false, truth),
  /** Single letters as shortcuts. */
  shortcuts: kept<boolean>("shortcuts", true, truth),
};

/** The next one, around. */
export function nextTheme(): void {
  const { theme } = preferences;
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
}

const asked = matchMedia("(prefers-color-scheme: dark)");
const isDark = signal(asked.matches);
asked.addEventListener("change", () => isDark.value = asked.matches);

/** The colours that are shown, as the style sheet names them. */
export const shownTheme = computed(() => {
  const { value } = preferences.theme;
  if (value !== "auto") return value;
  return isDark.value ? "dark" : "light";
});

effect(() => {
  document.documentElement.dataset["theme"] = shownTheme.value;
});

function kept<T extends string | boolean>(name: string, otherwise: T, read: (text: string) => T | undefined): Signal<T> {
  const key = `image-transfer ${name}`;
  const value = signal<T>(read(tried(() => localStorage.getItem(key)) ?? "") ?? otherwise);
  effect(() => {
    const text = String(value.value);
    tried(() => localStorage.setItem(key, text));
  });
  return value;
}

function truth(text: string): boolean | undefined {
  return text === "true" ? true : text === "false" ? false : undefined;
}

/** A browser may refuse to keep anything: then what is preferred lasts as long as the page. */
function tried<T>(use: () => T): T | null {
  try {
    return use();
  } catch {
    return null;
  }
}

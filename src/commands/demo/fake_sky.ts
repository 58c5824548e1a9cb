/**
 * The sky over the fake camera of `demo`: a star field with noise that drifts a little from frame to frame.
 *
 * @module
 */

interface Sky {
  readonly width: number;
  readonly height: number;
  /** The pixels of one exposure, in counts. */
  expose(frame: number): Uint16Array;
}

/** A sky that is the same for the same seed. */
export function fakeSky(width: number, height: number, seed: number): Sky {
  const random = generator(seed);
  const stars = Array.from({ length: Math.round(width * height / 2500) }, () => ({
    x: random() * width,
    y: random() * height,
    // Many faint stars, few bright ones.
    flux: 300 / (random() + 0.004),
    sigma: 1.1 + random() * 0.5,
  }));
  return {
    width,
    height,
    expose(frame) {
      const noise = generator(seed + frame * 7919 + 1);
      const pixels = new Uint16Array(width * height);
      for (let i = 0; i < pixels.length; i++) pixels[i] = 900 + (noise() + noise() + noise()) * 40;
      for (const star of stars) addStar(pixels, width, height, { ...star, x: star.x + frame * 0.7, y: star.y + frame * 0.3 });
      return pixels;
    },
  };
}

interface Star {
  readonly x: number;
  readonly y: number;
  readonly flux: number;
  readonly sigma: number;
}

function addStar(pixels: Uint16Array, width: number, height: number, star: Star): void {
  const reach = Math.ceil(star.sigma * 5);
  const [column, row] = [Math.round(star.x), Math.round(star.y)];
  for (let y = Math.max(0, row - reach); y <= Math.min(height - 1, row + reach); y++) {
    for (let x = Math.max(0, column - reach); x <= Math.min(width - 1, column + reach); x++) {
      const distance = (x - star.x) ** 2 + (y - star.y) ** 2;
      const light = star.flux * Math.exp(-distance / (2 * star.sigma ** 2));
      pixels[y * width + x] = Math.min(65535, pixels[y * width + x]! + light);
    }
  }
}

/** Numbers in [0, 1) that follow from a seed (mulberry32). */
function generator(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

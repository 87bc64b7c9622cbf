/** The shape of pixels. Browsers and demuxers tell it as the size of the shown picture, rounded to whole pixels. */

/** Shapes that standards name: H.264's table E-1, and those of DVDs. */
const NAMED: [number, number][] = [
  [1, 1], [12, 11], [10, 11], [16, 11], [40, 33], [24, 11], [20, 11], [32, 11], [80, 33], [18, 11], [15, 11], [64, 33], [160, 99], [4, 3], [3, 2], [2, 1],
  [8, 9], [32, 27], [16, 15], [64, 45],
];

/** The shape of the pixels of a picture of `width` by `height` that is shown as `shownWidth` by `shownHeight`, of which one was rounded. */
export function pixelAspect(width: number, height: number, shownWidth: number, shownHeight: number): [number, number] {
  if (![width, height, shownWidth, shownHeight].every((size) => size > 0)) return [1, 1];
  // The other dimension is the same before and after.
  const wider = shownWidth * height >= shownHeight * width;
  const [before, after] = wider ? [width, (shownWidth * height) / shownHeight] : [height, (shownHeight * width) / shownWidth];
  const fits = (ratio: number) => Math.abs(before * ratio - after) <= 0.5;
  const named = NAMED.find(([w, h]) => fits(wider ? w / h : h / w));
  if (named) return named;
  const [large, small] = simplest((after - 0.5) / before, (after + 0.5) / before);
  return wider ? [large, small] : [small, large];
}

/** The fraction between two numbers that has the smallest terms. */
function simplest(low: number, high: number): [number, number] {
  const whole = Math.floor(low);
  if (whole + 1 <= high) return low <= whole ? [whole, 1] : [whole + 1, 1];
  if (low <= whole) return [whole, 1];
  const [numerator, denominator] = simplest(1 / (high - whole), 1 / (low - whole));
  return [whole * numerator + denominator, numerator];
}

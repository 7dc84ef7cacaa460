/** The series of ISO 216, each with its first sheet in millimetres. */
const FIRST = { a: [841, 1189], b: [1000, 1414], c: [917, 1297] } as const;

export type Series = keyof typeof FIRST;

export interface Sheet {
  name: string;
  /** In millimetres. */
  width: number;
  height: number;
}

/** From the first sheet to the one that was folded ten times. */
export const SIZES = Array.from({ length: 11 }, (_, size) => size);

/** The series that the name of a sheet begins with. */
export function series(name: string): Series {
  return name[0] as Series;
}

/** A sheet: each is the one before it, folded in half, and what is left of a millimetre is cut off. */
export function sheet(series: Series, size: number): Sheet | undefined {
  if (!SIZES.includes(size)) return undefined;
  let [width, height] = FIRST[series] as readonly [number, number];
  for (let folds = 0; folds < size; folds++) [width, height] = [Math.floor(height / 2), width];
  return { name: `${series.toUpperCase()}${size}`, width, height };
}

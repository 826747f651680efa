/** Plain values of a recipe, and the paths to them. */

export type Value = string | number | boolean | null | Value[] | Map_;
export type Map_ = { [key: string]: Value };

/** Keys and positions from the top of the recipe down to a value. */
export type Path = readonly (string | number)[];

export const isMap = (v: Value | undefined): v is Map_ => typeof v === 'object' && v !== null && !Array.isArray(v);

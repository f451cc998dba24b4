/** Sets under names; none is empty. */
export function addTo<T>(sets: Map<string, Set<T>>, name: string, id: T): void {
  sets.set(name, (sets.get(name) ?? new Set()).add(id));
}

export function removeFrom<T>(sets: Map<string, Set<T>>, name: string, id: T): void {
  const known = sets.get(name);
  known?.delete(id);
  if (known?.size === 0) sets.delete(name);
}

// Made once, and made anew at most once in a second while somebody asks.
export const revalidate = 1;

export default function Sky() {
  return (
    <p>
      The sky as it was at <time>{new Date().toISOString()}</time>
    </p>
  );
}

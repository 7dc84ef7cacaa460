import "./style.css";

export const metadata = { title: "Stars", description: "A small Next.js site with a server." };

export default function Layout({ children }) {
  return (
    <html lang="en">
      <body>
        <main>{children}</main>
      </body>
    </html>
  );
}

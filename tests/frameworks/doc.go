// Package frameworks holds the tests with what others have written: every WSGI framework that
// can be installed (make frameworks), those of ASGI, with the examples that need one (make
// frameworks-asgi), and whole published applications, unchanged (make applications). They are
// visited as a person would, through the real server; WebSockets by the programs of clients.
//
// scripts/setup makes the environments, in .tools/frameworks. What was left out, and why, is
// in docs/frameworks.md, which the tests compare with what they have run.
//
// Files: frameworks (the list, and the pages that all of apps show), trac (which is a whole
// application), asgi (the same list for ASGI, and what watches applications), examples, wagtail,
// ihatemoney, visitor (cookies, forms, uploads), environments.
package frameworks

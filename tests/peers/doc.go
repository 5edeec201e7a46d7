// Package peers compares gobridge with the servers that sites come from, behind the same nginx:
// the real uWSGI under Django and Flask, by the uwsgi protocol, and uvicorn under FastAPI, by
// proxy_pass. Both get the same requests; answers, and what the application saw, have to be the
// same, but for the differences that are listed, each with a reason. One that is not listed fails,
// and so does one that is listed and is not there. docs/nginx.md has the list for people.
package peers

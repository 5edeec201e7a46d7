// Package browser holds the tests in a real browser, headless Chromium: the pages of examples
// whose WebSockets gobridge serves (make test-browser, which installs it). Chromium is driven
// as the W3C's WebDriver says, by chromedriver, over HTTP.
//
// Files: driver (a window with a page), chat (the examples).
package browser

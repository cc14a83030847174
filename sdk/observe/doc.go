// Package observe registers a strategy that learns how requests ended.
//
// It is apart from package sdk because a module that exports wedge_observe is called once more
// for each request. A strategy that does not ask for outcomes costs nothing.
package observe

// Package container builds the images of the Dockerfile and of examples/docker, and runs them
// (make test-container).
//
// No container engine and no registry is needed: buildah builds, from stand-ins for the base
// images that scripts/container-bases has made of this machine's Debian packages, and tests/container/enter
// runs a container as an engine does: as process 1 of a PID namespace, as the image's user, with
// a read-only root file system. What an engine adds, a network and cgroups of the container's own,
// is not tested here.
//
// Files: build (buildah), run (a container), image (what is promised of any image), compose (the
// example of Django behind nginx).
package container

# SPDX-License-Identifier: Apache-2.0
# Takes the place of the kernel's scripts/Makefile.build once, and writes down what the kernel's top Makefile hands to
# it by the environment. With that a folder can be built without the top Makefile, whose start takes 10 s of the guest.
HANDED_DOWN := env -0 -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u O -u obj -u build -u TO \
	-u PATH -u PWD -u OLDPWD -u SHLVL -u _

capture:
	@$(HANDED_DOWN) | sort -z >$(TO)

%: capture ;

.PHONY: capture

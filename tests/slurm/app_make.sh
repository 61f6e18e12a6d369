#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# app_make.sh - make -j2 with gcc: many short processes, a jobserver pipe
source "$(dirname "$0")/app.sh"

run_app <<'EOF'
#!/bin/bash
for i in {1..20}; do
	{
		echo "#include <stdio.h>"
		for j in {1..120}; do
			echo "int f${i}_$j(int x) { int s = 0;" \
				"for (int k = 0; k < x; k++) s += k * $j ^ $i;" \
				"return s + printf(\"%d\\n\", s); }"
		done
	} >"part$i.c"
done
echo "int f1_1(int); int main(void) { return f1_1(10) < 0; }" >main.c
cat >Makefile <<'END'
OBJECTS = main.o $(patsubst %,part%.o,$(shell seq 20))
program: $(OBJECTS)
	gcc -o $@ $(OBJECTS)
%.o: %.c
	@gcc -O2 -g -ffile-prefix-map=$(CURDIR)=. -c -o $@ $<
END
make --no-print-directory -j2 >/dev/null && ./program && sha256sum program
EOF

# make deb: build/deb/*.deb; make rpm: build/rpm/*.rpm. Both are made by the distributions' own tools, from a copy of the
# tree and with its own compilation.
PACKAGE_NAME := valtrace-$(VERSION)
DEB_SOURCE   := $(BUILD)/deb/$(PACKAGE_NAME)
RPM          := $(BUILD)/rpm

.PHONY: deb rpm
deb:
	@rm -rf $(BUILD)/deb
	@tools/packages/copy $(DEB_SOURCE)
	@cd $(DEB_SOURCE) && dpkg-buildpackage -us -uc -b >../log 2>&1 || { tail -n 30 ../log >&2; exit 1; }
	@ls $(BUILD)/deb/*.deb

# rpmbuild of another distribution does not know what is installed here: --nodeps.
rpm:
	@rm -rf $(RPM)
	@tools/packages/copy $(RPM)/$(PACKAGE_NAME)
	@tar -C $(RPM) -czf $(RPM)/$(PACKAGE_NAME).tar.gz $(PACKAGE_NAME)
	@sed 's|@VERSION@|$(VERSION)|' tools/packages/valtrace.spec.in >$(RPM)/valtrace.spec
	@rpmbuild -bb --nodeps --define '_topdir $(abspath $(RPM))' --define '_sourcedir $(abspath $(RPM))' \
	  --define '_rpmdir $(abspath $(RPM))' --define '_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm' \
	  $(RPM)/valtrace.spec >$(RPM)/log 2>&1 || { tail -n 30 $(RPM)/log >&2; exit 1; }
	@ls $(RPM)/*.rpm

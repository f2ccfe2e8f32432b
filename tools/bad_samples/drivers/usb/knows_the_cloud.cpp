// Expected: drivers/usb/knows_the_cloud.cpp:2: drivers includes fixtures/cloud/cloud.h
#include "fixtures/cloud/cloud.h"

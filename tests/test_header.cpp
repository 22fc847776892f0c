// What every test program includes, compiled once: CMakeLists.txt
